// Opened from disk, a page may start no worker. The search then runs in a hidden frame.
if (location.protocol === "file:") {
  // As between a page and a worker, what is said is a copy.
  const message = (data) => new MessageEvent("message", { data: structuredClone(data) });
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.append(frame);
      const inner = frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(message(data));
      this.ready = new Promise((done) => {
        const script = inner.document.createElement("script");
        script.onload = () => done(inner);
        script.src = url;
        inner.document.body.append(script);
      });
    }
    postMessage(data) {
      this.ready.then((inner) => inner.dispatchEvent(message(data)));
    }
  };
  window.Worker = window.IFrameWorker;
}
