import { state } from './state.mjs';

export default {
  scenario: {
    get iterationInTest() {
      if (state.user === null) throw new Error('no scenario runs');
      return state.user.iteration;
    },
    get startTime() {
      return state.startTime;
    },
  },
  vu: {
    get idInTest() {
      return state.user.number;
    },
    metrics: {
      get tags() {
        return state.tags;
      },
    },
  },
  test: {
    abort(reason) {
      throw new Error(`aborted: ${reason}`);
    },
  },
};
