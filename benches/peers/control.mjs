// Calls to the Workspace of the gate under test: `POST /<number>`, the body is the call.
export default {
  async fetch(request, env) {
    const number = new URL(request.url).pathname.slice(1);
    const stub = env.WORKSPACE.get(env.WORKSPACE.idFromName(number));
    return stub.fetch("https://workspace/", { method: "POST", body: await request.text() });
  },
};
