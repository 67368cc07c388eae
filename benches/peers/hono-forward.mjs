// Hono's two middlewares in front of the baseline's own forwarding: only the deciding differs.
import { forward } from "./forward.mjs";
import { GRANT } from "./grant.mjs";
import { guarded } from "./hono-app.mjs";

export default guarded((c) => forward(c.req.raw, c.env.ORIGIN, GRANT));
