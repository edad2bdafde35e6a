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
  const request = http.request(url, { method, headers: sized, agent }, (response) => {
    const pieces = [];
    response.on('data', (piece) => pieces.push(piece));
    response.on('end', () =>
      answer({ status: response.statusCode, headers: response.rawHeaders, bytes: Buffer.concat(pieces) }),
    );
  });
  request.on('error', (error) => answer({ error: error.message }));
  request.end(bytes === null ? undefined : Buffer.from(bytes));
});
