// A queue and a dataset in one: the console gets what is sent to it.
export default () => ({
  async sendBatch(messages) {
    console.log(JSON.stringify({ queue: [...messages] }));
  },
  writeDataPoint(point) {
    console.log(JSON.stringify({ dataset: point }));
  },
});
