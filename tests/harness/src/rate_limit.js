// Bindings in other languages check the name of this class.
class Ratelimit {
  #limit;
  #period;
  #windows = new Map();
  constructor({ limit, period }) {
    this.#limit = limit;
    this.#period = period * 1000;
  }
  async limit({ key }) {
    const window = Math.floor(Date.now() / this.#period);
    const last = this.#windows.get(key);
    const count = last?.window === window ? last.count + 1 : 1;
    this.#windows.set(key, { window, count });
    return { success: count <= this.#limit };
  }
}
export default (env) => new Ratelimit(env);
