// What lies outside of both Workers, where key sets are: the issuer of this run stands for every host of
// this machine and of `.test`, whatever the port and scheme; others are on the Internet.

export default {
  fetch(request, env) {
    const { hostname } = new URL(request.url);
    return LOCAL.test(hostname) ? env.ISSUER.fetch(request) : fetch(request);
  },
};

const LOCAL = /^(127\.0\.0\.1|\[::1\]|(.*\.)?localhost|.*\.test)$/;
