import crypto from 'node:crypto';

const exact = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

export const randomBytes = (size) => exact(crypto.randomBytes(size));

function digest(algorithm, input, encoding) {
  const bytes = typeof input === 'string' ? input : Buffer.from(input);
  const hash = crypto.createHash(algorithm).update(bytes);
  return encoding === 'binary' ? exact(hash.digest()) : hash.digest(encoding);
}

export const sha1 = (input, encoding) => digest('sha1', input, encoding);
export const sha256 = (input, encoding) => digest('sha256', input, encoding);
