import { invalidInput, quote } from "../core/arguments.ts";
import { type Certificate, readCertificate } from "./certificate.ts";

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g;

const KEY_BLOCK = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[^]*?-----END \1-----/;

/** Reads the certificates of a PEM text, of which there must be one. Throws `InvalidInput`. */
export function readPemCertificates(operation: string, name: string, pem: unknown): Certificate[] {
  const text = checkPemText(operation, name, pem);
  const certificates = [...text.matchAll(CERTIFICATE_BLOCK)].map(([, base64]) => {
    try {
      return readCertificate(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
    } catch (error) {
      throw invalidInput(operation, `${name} has a certificate that is malformed`, error);
    }
  });
  if (certificates.length === 0) {
    const reason = `${name} has no certificate, which begins with -----BEGIN CERTIFICATE-----`;
    throw invalidInput(operation, reason);
  }
  if (certificates.some(({ version }) => version !== 3)) {
    throw invalidInput(operation, `${name} has a certificate that is not of X.509 version 3`);
  }
  return certificates;
}

/** Returns the private key of a PEM text, without what else is in there, such as parameters. Throws `InvalidInput`. */
export function readPemKey(operation: string, name: string, pem: unknown): string {
  const text = checkPemText(operation, name, pem);
  const block = KEY_BLOCK.exec(text)?.[0];
  if (block === undefined) {
    throw invalidInput(operation, `${name} is not a private key: it has no block of that name`);
  }
  return `${block}\n`;
}

/** Returns PEM text, or throws `InvalidInput`. */
function checkPemText(operation: string, name: string, pem: unknown): string {
  if (typeof pem !== "string") {
    throw invalidInput(operation, `${name} is not a string: give PEM text`);
  }
  if (pem.includes("-----BEGIN ")) return pem;
  const hint = /^[^\n]{1,300}\.(pem|crt|cer|key)$/i.test(pem)
    ? `${quote(pem)} looks like a path: read the file, and give its text`
    : "a block begins with -----BEGIN";
  throw invalidInput(operation, `${name} is not PEM text: ${hint}`);
}
