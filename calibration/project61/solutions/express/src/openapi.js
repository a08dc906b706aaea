const security = [{ bearer: [] }, { apiKey: [] }];
const json = (schema) => ({ content: { "application/json": { schema } } });
const object = { type: "object" };

function operation(summary, { body, open = false, statuses = [] } = {}) {
  const failures = [...(open ? [] : [401, 403]), ...(body ? [400] : []), ...statuses];
  return {
    summary,
    security: open ? [] : security,
    ...(body && { requestBody: { required: true, ...json(body) } }),
    responses: {
      200: { description: "Success", ...json(object) },
      ...Object.fromEntries(failures.map((status) => [status, { description: "Error", ...json({ $ref: "#/components/schemas/Error" }) }])),
    },
  };
}

const chat = {
  type: "object",
  required: ["model", "messages"],
  properties: {
    model: { type: "string" },
    messages: { type: "array", items: object },
    stream: { type: "boolean" },
    stream_options: { type: "object", properties: { include_usage: { type: "boolean" } } },
  },
};
const embeddings = {
  type: "object",
  required: ["model", "input"],
  properties: { model: { type: "string" }, input: { oneOf: [{ type: "string" }, { type: "array" }] } },
};
const login = {
  type: "object",
  required: ["username", "password"],
  properties: { username: { type: "string" }, password: { type: "string" } },
};

export const openapi = {
  openapi: "3.1.0",
  info: { title: "Inference gateway", version: "1.0.0", description: "OpenAI's API in front of language models." },
  paths: {
    "/v1/chat/completions": { post: operation("Answer a chat, whole or as a stream", { body: chat, statuses: [429, 502, 503, 504] }) },
    "/v1/embeddings": { post: operation("Make vectors of texts", { body: embeddings, statuses: [429, 502, 503] }) },
    "/v1/models": { get: operation("List the backend's models") },
    "/auth/login": { post: operation("Log in for a token", { body: login, open: true, statuses: [401] }) },
    "/v1/api-keys": {
      get: operation("List one's API keys"),
      post: operation("Make an API key, which is shown once", { body: { type: "object", properties: { name: { type: "string" } } } }),
    },
    "/v1/api-keys/{id}": {
      delete: {
        ...operation("Revoke an API key", { statuses: [404] }),
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
      },
    },
    "/v1/usage": {
      get: {
        ...operation("Show one's usage, or another's to an administrator", { statuses: [404] }),
        parameters: [{ name: "user", in: "query", schema: { type: "string" } }],
      },
    },
    "/health": { get: operation("Say that the process serves", { open: true }) },
    "/health/detailed": { get: operation("Say whether it can answer", { open: true, statuses: [503] }) },
    "/metrics": { get: operation("Metrics for Prometheus", { open: true }) },
  },
  components: {
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer", description: "A token of /auth/login, or an API key" },
      apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
    },
    schemas: {
      Error: {
        type: "object",
        properties: {
          error: {
            type: "object",
            properties: { message: { type: "string" }, type: { type: "string" }, code: {}, param: {} },
          },
        },
      },
    },
  },
};
