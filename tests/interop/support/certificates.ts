import { must, needProgram } from "./packages.ts";

/** The files of a self-signed certificate and its key. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** Makes a certificate for a name, good for a day, in a folder. */
export async function makeCertificate(folder: string, name: string): Promise<Certificate> {
  await needProgram("openssl", "version");
  const certificate = `${folder}/${name}.pem`;
  const key = `${folder}/${name}.key`;
  await must(
    ...[
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-sha256",
      "-nodes",
      "-days",
      "1",
    ] as const,
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ...["-keyout", key, "-out", certificate],
  );
  return { certificate, key };
}
