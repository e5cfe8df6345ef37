/** A published package: its files, its name and its version. */
export interface PublishedPackage {
  /** The name with its scope: `@scope/name`. */
  readonly name: string;
  readonly version: string;
  /** The path of each entry, in the registry's spelling: `{ ".": "./mod.ts" }`. */
  readonly exports: Readonly<Record<string, string>>;
  /** The content of each file by its path from the package's root, without a leading slash. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** A registry that serves packages on loopback, and records the requests. */
export interface JsrRegistry extends AsyncDisposable {
  /** The value of `JSR_URL` for a runtime that uses this registry. */
  readonly url: string;
  /** The served paths, in order. */
  readonly requests: readonly string[];
}

/** Serves packages as the JSR registry does: two metadata files each, then the files themselves. */
export async function serveRegistry(published: readonly PublishedPackage[]): Promise<JsrRegistry> {
  const documents = new Map((await Promise.all(published.map(registryDocuments))).flat());
  const requests: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const path = new URL(request.url).pathname;
      const body = documents.get(path);
      requests.push(path);
      if (body === undefined) return new Response(`no ${path} here`, { status: 404 });
      return new Response(body, { headers: { "content-type": contentType(path) } });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function registryDocuments(
  { name, version, exports, files }: PublishedPackage,
): Promise<[path: string, body: Uint8Array<ArrayBuffer>][]> {
  const documents: [string, Uint8Array<ArrayBuffer>][] = [];
  const manifest: Record<string, { size: number; checksum: string }> = {};
  for (const [path, bytes] of files) {
    manifest[`/${path}`] = { size: bytes.length, checksum: await checksum(bytes) };
    documents.push([`/${name}/${version}/${path}`, bytes]);
  }
  documents.push([`/${name}/meta.json`, json({ latest: version, versions: { [version]: {} } })]);
  documents.push([`/${name}/${version}_meta.json`, json({ manifest, exports })]);
  return documents;
}

async function checksum(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256-${digest.toHex()}`;
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

function contentType(path: string): string {
  if (path.endsWith(".json")) return "application/json";
  return path.endsWith(".ts") ? "text/typescript" : "text/plain";
}
