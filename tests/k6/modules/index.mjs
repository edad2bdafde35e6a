import { state } from './state.mjs';

export function check(value, checks) {
  let isRight = true;
  for (const [name, condition] of Object.entries(checks)) {
    const holds = Boolean(typeof condition === 'function' ? condition(value) : condition);
    const counts = state.checks.get(name) || { passes: 0, fails: 0 };
    counts[holds ? 'passes' : 'fails'] += 1;
    state.checks.set(name, counts);
    isRight = isRight && holds;
  }
  return isRight;
}

export function sleep(seconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
}
