const b64encode = (input, encoding) => {
  if (encoding !== 'std') throw new Error(`unexpected encoding ${encoding}`);
  return Buffer.from(input).toString('base64');
};
export default { b64encode };
