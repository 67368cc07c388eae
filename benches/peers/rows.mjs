// The key-value service behind the gate under test: the rows that it is started with.
let rows;

export default {
  fetch(req, env) {
    rows ??= JSON.parse(env.ROWS);
    const value = rows[decodeURIComponent(new URL(req.url).pathname.slice(1))];
    return new Response(value ?? null, { status: value === undefined ? 404 : 200 });
  },
};
