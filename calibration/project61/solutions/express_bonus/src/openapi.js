const json = (schema) => ({ content: { "application/json": { schema } } });
const object = { type: "object" };
const chatRequest = {
  type: "object",
  required: ["model", "messages"],
  additionalProperties: true,
  properties: {
    model: { type: "string" },
    messages: { type: "array", items: object },
    stream: { type: "boolean" },
    stream_options: { type: "object", properties: { include_usage: { type: "boolean" } } },
  },
};
const embeddingsRequest = {
  type: "object",
  required: ["model", "input"],
  additionalProperties: true,
  properties: {
    model: { type: "string" },
    input: { oneOf: [{ type: "string" }, { type: "array" }] },
    encoding_format: { type: "string", enum: ["float", "base64"] },
    dimensions: { type: "integer" },
  },
};
const error = { description: "An error in OpenAI's form", ...json({ $ref: "#/components/schemas/Error" }) };
const query = (name, description) => ({ name, in: "query", required: false, description, schema: { type: "string" } });

function operation(summary, { body, answer = object, status = 200, parameters, open = false } = {}) {
  return {
    summary,
    ...(parameters && { parameters }),
    ...(body && { requestBody: { required: true, ...json(body) } }),
    responses: { [status]: { description: "The answer", ...json(answer) }, default: error },
    security: open ? [] : [{ bearer: [] }, { apiKey: [] }],
  };
}

/** The description of the API that GET /openapi.json answers. */
export const openapi = {
  openapi: "3.1.0",
  info: { title: "Inference gateway", version: "1.0.0" },
  paths: {
    "/v1/chat/completions": { post: operation("Answer a chat, whole or streamed", { body: chatRequest }) },
    "/v1/embeddings": { post: operation("Compute embeddings", { body: embeddingsRequest }) },
    "/v1/models": { get: operation("List the models") },
    "/v1/api-keys": {
      post: operation("Create an API key; it is shown only here", {
        status: 201,
        body: { type: "object", required: ["name"], properties: { name: { type: "string", maxLength: 100 } } },
        answer: { type: "object", properties: { id: { type: "string" }, key: { type: "string" } } },
      }),
      get: operation("List your API keys, without the keys themselves"),
    },
    "/v1/api-keys/{id}": {
      delete: {
        ...operation("Revoke an API key"),
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
        responses: { 204: { description: "The key is revoked" }, default: error },
      },
    },
    "/v1/usage": {
      get: operation("Report usage, in total and by day, model and user", {
        parameters: [
          query("user", "Another user, or * for all; needs the permission admin"),
          query("since", "The first day (UTC), such as 2026-01-01"),
          query("until", "The last day (UTC), included"),
        ],
      }),
    },
    "/auth/login": {
      post: operation("Get an access token", {
        open: true,
        body: {
          type: "object",
          required: ["username", "password"],
          properties: { username: { type: "string" }, password: { type: "string" } },
        },
        answer: { type: "object", properties: { access_token: { type: "string" }, token_type: { type: "string" } } },
      }),
    },
    "/health": { get: operation("Liveness", { open: true }) },
    "/health/detailed": { get: operation("Readiness: 200 or 503", { open: true }) },
    "/metrics": {
      get: {
        summary: "Metrics in Prometheus's text format",
        responses: { 200: { description: "The metrics", content: { "text/plain": { schema: { type: "string" } } } } },
        security: [],
      },
    },
  },
  components: {
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer", description: "An access token or an API key" },
      apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
    },
    schemas: {
      Error: {
        type: "object",
        required: ["error"],
        properties: {
          error: {
            type: "object",
            required: ["message", "type", "code", "param"],
            properties: {
              message: { type: "string" },
              type: { type: "string" },
              code: { type: ["string", "null"] },
              param: { type: ["string", "null"] },
            },
          },
        },
      },
    },
  },
};
