// k6's requests are synchronous: a worker sends, and this thread waits.

import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import { state } from './state.mjs';

const signal = new Int32Array(new SharedArrayBuffer(4));
const { port1, port2 } = new MessageChannel();
const worker = new Worker(new URL('./sender.mjs', import.meta.url), {
  workerData: { signal, port: port2 },
  transferList: [port2],
});
worker.unref();
port1.unref();

export class CookieJar {
  constructor() {
    this.cookies = new Map();
  }
}

function exchange(message) {
  Atomics.store(signal, 0, 0);
  port1.postMessage(message);
  Atomics.wait(signal, 0, 0);
  return receiveMessageOnPort(port1).message;
}

// k6 writes the names of headers as Go does, and joins values.
function canonical(headers) {
  const joined = {};
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at].toLowerCase().replace(/(^|-)([a-z])/g, (all) => all.toUpperCase());
    joined[name] = name in joined ? `${joined[name]}, ${headers[at + 1]}` : headers[at + 1];
  }
  return joined;
}

function cookiesOf(headers) {
  const cookies = {};
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at].toLowerCase() !== 'set-cookie') continue;
    const [name, value] = headers[at + 1].split(';')[0].split('=').map((part) => part.trim());
    (cookies[name] = cookies[name] || []).push({ name, value });
  }
  return cookies;
}

function request(method, url, body, params) {
  const jar = params.jar || state.user.jar;
  const headers = { ...params.headers };
  const cookies = [...jar.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  if (cookies !== '') headers.Cookie = cookies;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') throw new Error(`header ${name} is no text`);
  }
  const bytes = body === null ? null : Buffer.from(body);
  state.hear({ method, url, headers, body: bytes === null ? null : bytes.toString('base64') });
  const began = process.hrtime.bigint();
  const answer = exchange({ method, url, headers, bytes, redirects: params.redirects });
  const duration = Number(process.hrtime.bigint() - began) / 1e6;
  if (answer.error) {
    return { status: 0, error: answer.error, body: null, headers: {}, cookies: {}, timings: { duration } };
  }
  const set = cookiesOf(answer.headers);
  for (const [name, values] of Object.entries(set)) jar.cookies.set(name, values[0].value);
  const text = Buffer.from(answer.bytes).toString('utf8');
  return {
    status: answer.status,
    body: text === '' ? null : text,
    headers: canonical(answer.headers),
    cookies: set,
    timings: { duration },
  };
}

export default { request, CookieJar };
