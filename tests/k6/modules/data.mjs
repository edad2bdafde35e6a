// Read only, as k6 has it.
export class SharedArray {
  constructor(_name, make) {
    return Object.freeze(make());
  }
}
