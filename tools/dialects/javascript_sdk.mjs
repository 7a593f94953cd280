// A program with OpenTelemetry's SDK for JavaScript, which sends OTLP JSON. It says what the GenAI conventions name:
// an agent with two turns and a tool, and a call that fails.
import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const exporter = new OTLPTraceExporter({ url: `${process.env.DIALECT_OTLP_URL}/v1/traces` });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "museum", "service.version": "1.2.0" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
provider.register();
const tracer = trace.getTracer("museum", "1.2.0");

const said = (role, ...parts) => ({ role, parts });
const text = (content) => ({ type: "text", content });
const QUESTION = said("user", text("Who wrote the first program?"));
const CALL = { type: "tool_call", id: "call_1", name: "search", arguments: { query: "Ada" } };
const FOUND = { type: "tool_call_response", id: "call_1", response: "3 papers about Ada" };

function chat(input, output, usage, finish) {
  const attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.input.messages": JSON.stringify(input),
    "session.id": "visit-7",
    "server.address": "api.openai.com",
    "server.port": 443,
  };
  tracer.startActiveSpan("chat gpt-4o", { kind: SpanKind.CLIENT, attributes }, (span) => {
    if (output) {
      span.setAttribute("gen_ai.response.model", "gpt-4o-2024-08-06");
      span.setAttribute("gen_ai.response.finish_reasons", [finish]);
      span.setAttribute("gen_ai.output.messages", JSON.stringify([{ ...output, finish_reason: finish }]));
      span.setAttribute("gen_ai.usage.input_tokens", usage[0]);
      span.setAttribute("gen_ai.usage.output_tokens", usage[1]);
    } else {
      span.recordException({ name: "NotFoundError", message: "there is no such model" });
      span.setAttribute("error.type", "NotFoundError");
      span.setStatus({ code: SpanStatusCode.ERROR, message: "there is no such model" });
    }
    span.end();
  });
}

const agent = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "guide", "session.id": "visit-7" };
tracer.startActiveSpan("invoke_agent guide", { attributes: agent }, (span) => {
  const asked = [said("system", text("Be brief.")), QUESTION];
  chat(asked, said("assistant", CALL), [40, 12], "tool_calls");
  const tool = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.id": "call_1" };
  tracer.startActiveSpan("execute_tool search", { attributes: tool }, (inner) => {
    inner.setAttribute("gen_ai.tool.call.arguments", JSON.stringify(CALL.arguments));
    inner.setAttribute("gen_ai.tool.call.result", FOUND.response);
    inner.addEvent("found", { "museum.papers": 3, "museum.open": true, "museum.years": [1842, 1843] });
    inner.end();
  });
  chat([...asked, said("assistant", CALL), said("tool", FOUND)], said("assistant", text("Ada Lovelace \u{1F5DD}")), [80, 6], "stop");
  chat(asked, null);
  span.end();
});
await provider.shutdown();
