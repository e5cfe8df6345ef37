import {
  CLIENT_USE,
  element,
  HOSTS,
  makeCertificate,
  pem,
  sequence,
  SERVER_USE,
  type TestAuthority,
  type TestCertificate,
} from "./certificates.ts";

/** A certificate that must not be accepted. */
export interface BadCertificate {
  readonly what: string;
  readonly certificate: TestCertificate;
  /** The words that an error must have, whichever engine has found it out. */
  readonly reason: RegExp;
  /** True if only this package's own check knows better: the runtime's verifier does not look at it. */
  readonly stricter?: boolean;
}

const ANY = /./;

/** Writes the constraint by which an authority may sign for a domain only (RFC 5280, 4.2.1.10). */
function permittedSubtree(domain: string): Uint8Array {
  const name = element(0x82, new TextEncoder().encode(domain));
  return sequence(element(0xa0, sequence(name)));
}

/** Makes certificates for a use that nobody may accept who trusts the authority. */
export async function makeBadCertificates(
  { ca, server, client }: TestAuthority,
  use: "server" | "client",
): Promise<BadCertificate[]> {
  const uses = [use === "server" ? SERVER_USE : CLIENT_USE];
  const good = { subject: use, hosts: HOSTS, uses };
  const other = await makeCertificate({ subject: "Another Authority", authority: true });
  const namesake = await makeCertificate({ subject: ca.subject, authority: true });
  const oldCa = await makeCertificate({ subject: "Old", issuerName: ca.subject, version: 1 });
  const oldGenuine = await makeCertificate({ subject: "Old", issuer: ca, version: 1 });
  const forgedCa = await makeCertificate({
    subject: "Middle",
    issuerName: ca.subject,
    authority: true,
  });
  const short = await makeCertificate({
    subject: "Short",
    issuer: ca,
    authority: true,
    pathLength: 0,
  });
  const tooLow = await makeCertificate({ subject: "Low", issuer: short, authority: true });
  const lateCa = await makeCertificate({
    subject: "Late",
    issuer: ca,
    authority: true,
    from: -48,
    until: -24,
  });
  const noSigner = await makeCertificate({
    subject: "Signs nothing",
    issuer: ca,
    authority: true,
    keyUsage: 0x80,
  });
  const limited = await makeCertificate({
    subject: "For others",
    issuer: ca,
    authority: true,
    uses: [use === "server" ? CLIENT_USE : SERVER_USE],
  });
  const elsewhere = await makeCertificate({
    subject: "Elsewhere",
    issuer: ca,
    authority: true,
    extensions: [["2.5.29.30", permittedSubtree("elsewhere.test"), true]],
  });
  const unreadable = {
    ...ca,
    cert: pem("CERTIFICATE", sequence(element(0x02, new Uint8Array(3)))),
  };
  const row = async (
    what: string,
    options: Parameters<typeof makeCertificate>[0],
    reason: RegExp = ANY,
    stricter = false,
  ): Promise<BadCertificate> => ({
    what,
    certificate: await makeCertificate(options),
    reason,
    stricter,
  });
  return await Promise.all([
    row("one that it has signed itself", good, /authority/),
    row(
      "one of an authority that is not trusted",
      { ...good, issuer: other, chain: [other] },
      /authority/,
    ),
    row("one of an authority that has the name of a trusted one", {
      ...good,
      issuer: namesake,
      chain: [namesake],
    }),
    row("one that states a trusted issuer, and is signed with its own key", {
      ...good,
      issuerName: ca.subject,
    }),
    row("one that states a trusted issuer, without names", {
      subject: use,
      issuerName: ca.subject,
    }),
    row("an X.509 version 1 certificate with a trusted issuer's name", {
      ...good,
      issuerName: ca.subject,
      version: 1,
    }),
    row("an X.509 version 1 certificate that a trusted authority has signed", {
      ...good,
      issuer: ca,
      version: 1,
    }),
    row("one below an X.509 version 1 certificate with a trusted issuer's name", {
      ...good,
      issuer: oldCa,
      chain: [oldCa],
    }),
    row("one below an X.509 version 1 certificate that a trusted authority has signed", {
      ...good,
      issuer: oldGenuine,
      chain: [oldGenuine],
    }),
    row("one below a forged authority with a trusted issuer's name", {
      ...good,
      issuer: forgedCa,
      chain: [forgedCa],
    }),
    row("one that a certificate without rights has signed", {
      ...good,
      issuer: use === "server" ? client : server,
      chain: [use === "server" ? client : server],
    }),
    row("one that a certificate of the same kind has signed", {
      ...good,
      issuer: use === "server" ? server : client,
      chain: [use === "server" ? server : client],
    }),
    row(
      "one below an authority whose key may not sign certificates",
      {
        ...good,
        issuer: noSigner,
        chain: [noSigner],
      },
      ANY,
      true,
    ),
    row("one with a longer chain than an authority allows", {
      ...good,
      issuer: tooLow,
      chain: [tooLow, short],
    }),
    row("one below an authority that has expired", { ...good, issuer: lateCa, chain: [lateCa] }),
    row("one below an authority that is made for another use", {
      ...good,
      issuer: limited,
      chain: [limited],
    }),
    row("one below an authority that is limited to other names", {
      ...good,
      issuer: elsewhere,
      chain: [elsewhere],
    }),
    row("one that has expired", { ...good, issuer: ca, from: -48, until: -1 }, /expired/),
    row("one that is not valid yet", { ...good, issuer: ca, from: 24, until: 48 }, /not valid yet/),
    row("one that is made for another use", {
      ...good,
      issuer: ca,
      uses: [use === "server" ? CLIENT_USE : SERVER_USE],
    }, /extended key usage/),
    // Its key may sign other things as well: without that, OpenSSL does not even show it.
    row(
      "an authority's own",
      { ...good, issuer: ca, authority: true, keyUsage: 0x84 },
      /authority/,
    ),
    row(
      "one that came with another that cannot be read",
      { ...good, issuer: ca, chain: [unreadable] },
      ANY,
      true,
    ),
    { what: "the authority's", certificate: ca, reason: ANY },
  ]);
}
