// A load test for k6: `k6 run -e URL=http://localhost:8000 -e TOKEN=... deploy/load/chat.js`
import http from "k6/http";
import { check } from "k6";

export const options = {
  scenarios: { chat: { executor: "ramping-vus", stages: [{ duration: "30s", target: 50 }, { duration: "2m", target: 50 }] } },
  thresholds: { http_req_failed: ["rate<0.01"], http_req_duration: ["p(95)<5000"] },
};

export default function () {
  const body = JSON.stringify({ model: __ENV.MODEL || "gpt-4o-secondary", messages: [{ role: "user", content: "Hello" }] });
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${__ENV.TOKEN}` };
  const answer = http.post(`${__ENV.URL}/v1/chat/completions`, body, { headers });
  check(answer, { answered: ({ status }) => status === 200 });
}
