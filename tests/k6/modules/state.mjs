// What the modules share: the virtual user whose turn it is, and all metrics.

export const state = {
  // { number, jar, iteration, hasScenario }
  user: null,
  startTime: 0,
  options: {},
  tags: {},
  metrics: new Map(),
  checks: new Map(),
  // Called with each request, before it is sent.
  hear: () => {},
};
