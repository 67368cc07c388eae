// Constant values of the size a gate really sets.
export const GRANT = {
  host: "api.example.com",
  ip: "203.0.113.9",
  requestId: "7f9c24e8-3b1a-4f0e-9d57-1c2b3a4d5e6f",
  kid: "0ABCDEF1234567TAGTAG",
  workspace: "ABCDEF",
  type: "service",
  scopes: "agents:read agents:write",
  subject: "svc-bench",
  rate: {
    limit: "1000000000",
    remaining: "999999999",
    reset: "1800000000",
    policy: '"hour";q=1000000000;w=3600, "burst";q=1000000;w=4',
    state: '"hour";r=999999999;t=3600, "burst";r=999999;t=1',
  },
  assertion: `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InYxIn0.${"A".repeat(354)}.${"B".repeat(43)}`,
};
