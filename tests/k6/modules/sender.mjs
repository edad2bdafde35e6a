import http from 'node:http';
import { workerData } from 'node:worker_threads';

const { signal, port } = workerData;
const agent = new http.Agent({ keepAlive: true });

function answer(message) {
  port.postMessage(message);
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
}

port.on('message', ({ method, url, headers, bytes }) => {
  const sized = bytes === null ? headers : { ...headers, 'Content-Length': String(bytes.length) };
  // As it is written: URL would write quotes in another way, which k6 does not.
  const [, host, port, path] = /^http:\/\/([^:/]+):(\d+)(.*)$/.exec(url);
  const request = http.request({ host, port, path, method, headers: sized, agent }, (response) => {
    const pieces = [];
    response.on('data', (piece) => pieces.push(piece));
    response.on('end', () =>
      answer({ status: response.statusCode, headers: response.rawHeaders, bytes: Buffer.concat(pieces) }),
    );
  });
  request.on('error', (error) => answer({ error: error.message }));
  request.end(bytes === null ? undefined : Buffer.from(bytes));
});
