// The Workspace of the gate under test.
//
//   POST /<number>        the body is a call -> its answer
//   GET  /<number>/calls  [[call, answer]…] so far
export default {
  async fetch(request, env) {
    const [, number, what] = new URL(request.url).pathname.split("/");
    const stub = env.WORKSPACE.get(env.WORKSPACE.idFromName(number));
    if (what === "calls") return Response.json(await stub.calls());
    return stub.fetch("https://workspace/", { method: "POST", body: await request.text() });
  },
};
