import { state } from './state.mjs';

class Metric {
  constructor(name, type, isTime) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/.test(name)) throw new Error(`invalid name of a metric: ${name}`);
    const known = state.metrics.get(name);
    if (known && known.type !== type) throw new Error(`two types of ${name}`);
    this.metric = known || { name, type, contains: isTime ? 'time' : 'default', samples: [] };
    state.metrics.set(name, this.metric);
  }

  add(value) {
    if (Number.isNaN(Number(value))) throw new Error(`${this.metric.name}: ${value} is no number`);
    this.metric.samples.push(Number(value));
  }
}

export class Counter extends Metric {
  constructor(name, isTime) {
    super(name, 'counter', isTime);
  }
}
export class Gauge extends Metric {
  constructor(name, isTime) {
    super(name, 'gauge', isTime);
  }
}
export class Rate extends Metric {
  constructor(name, isTime) {
    super(name, 'rate', isTime);
  }
}
export class Trend extends Metric {
  constructor(name, isTime) {
    super(name, 'trend', isTime);
  }
}
