interface Value {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
}

interface Attributed {
  readonly attributes: readonly { readonly key: string; readonly value: Value }[];
}

/** A span, as OTLP has it in JSON. */
export interface Span extends Attributed {
  readonly name: string;
  /** 2 for a server's, 3 for a client's. */
  readonly kind: number;
  readonly status: { readonly code: number; readonly message: string };
}

/** One combination of attributes of a metric. */
export interface DataPoint extends Attributed {
  /** The value of a counter. */
  readonly asDouble?: number;
  /** The number of values of a histogram. */
  readonly count?: string;
}

interface Metric {
  readonly name: string;
  readonly sum?: { readonly dataPoints: readonly DataPoint[] };
  readonly histogram?: { readonly dataPoints: readonly DataPoint[] };
}

interface Export {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[];
  }[];
}

/** A receiver of OpenTelemetry's own protocol, over HTTP with JSON, on loopback. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: Span[] = [];
  /** Data points by the name of their metric: those of the last export, which are the sums of all. */
  readonly points = new Map<string, readonly DataPoint[]>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        this.#collect(await request.json());
        return Response.json({});
      },
    );
  }

  /** Variables that make the runtime send what it has to this receiver. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
    };
  }

  #collect({ resourceSpans = [], resourceMetrics = [] }: Export): void {
    for (const { scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) this.spans.push(...spans);
    }
    for (const { scopeMetrics } of resourceMetrics) {
      for (const { name, sum, histogram } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
        this.points.set(name, (sum ?? histogram)?.dataPoints ?? []);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Returns attributes as a plain object. */
export function attributesOf({ attributes }: Attributed): Record<string, string | number> {
  return Object.fromEntries(attributes.map(({ key, value }) => {
    const { stringValue, intValue, doubleValue } = value;
    return [key, stringValue ?? doubleValue ?? Number(intValue)];
  }));
}
