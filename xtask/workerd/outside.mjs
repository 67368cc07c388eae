// What lies outside of both Workers: the receiver of this run stands for `hooks.localhost` and `hooks.example`, its
// issuer for every other host of this machine, of `.test` and `.example`, whatever the port and scheme; others are on the Internet.

export default {
  fetch(request, env) {
    const { hostname } = new URL(request.url);
    if (hostname === "hooks.localhost" || hostname === "hooks.example") return env.RECEIVER.fetch(request);
    return LOCAL.test(hostname) ? env.ISSUER.fetch(request) : fetch(request);
  },
};

const LOCAL = /^(127\.0\.0\.1|\[::1\]|(.*\.)?localhost|.*\.(test|example))$/;
