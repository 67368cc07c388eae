// KV for the gate that is asked: the vectors' rows.
export default {
  fetch(request, env) {
    if (request.method !== "GET") return new Response(null, { status: 204 });
    const value = env.ROWS[decodeURIComponent(new URL(request.url).pathname.slice(1))];
    return new Response(value ?? null, { status: value === undefined ? 404 : 200 });
  },
};
