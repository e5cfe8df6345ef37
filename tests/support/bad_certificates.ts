import {
  CLIENT_USE,
  element,
  HOSTS,
  makeCertificate,
  name,
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

const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;

/** Writes a constraint on the names for which an authority may sign (RFC 5280, 4.2.1.10). */
function nameConstraint(
  list: typeof PERMITTED | typeof EXCLUDED,
  tag: number,
  base: Uint8Array,
): readonly [id: string, value: Uint8Array, critical: boolean] {
  return ["2.5.29.30", sequence(element(list, sequence(element(tag, base)))), true];
}

const dns = (domain: string) => [0x82, new TextEncoder().encode(domain)] as const;
/** An IPv4 address with its mask. */
const network = (...bytes: number[]) => [0x87, new Uint8Array(bytes)] as const;
const DIRECTORY = 0xa4;

/** Authorities that a trusted one has signed, and that may not sign for this peer, with the words for it. */
const LIMITED: readonly (readonly [
  what: string,
  options: Partial<Parameters<typeof makeCertificate>[0]>,
  reason: RegExp,
])[] = [
  ["that is limited to other names", {
    extensions: [nameConstraint(PERMITTED, ...dns("elsewhere.test"))],
  }, /name constraints/],
  ["that may not sign for a name of it", {
    extensions: [nameConstraint(EXCLUDED, ...dns("server.test"))],
  }, /name constraints/],
  ["that may not sign for a domain of it", {
    extensions: [nameConstraint(EXCLUDED, ...dns("test"))],
  }, /name constraints/],
  ["that may not sign for an address of it", {
    extensions: [nameConstraint(EXCLUDED, ...network(127, 0, 0, 0, 255, 0, 0, 0))],
  }, /name constraints/],
  ["that is limited to other addresses", {
    extensions: [nameConstraint(PERMITTED, ...network(10, 0, 0, 0, 255, 0, 0, 0))],
  }, /name constraints/],
  ["that is limited to subjects of another organisation", {
    extensions: [nameConstraint(PERMITTED, DIRECTORY, name("Elsewhere"))],
  }, /name constraints/],
  ["whose constraints on names are malformed", {
    extensions: [["2.5.29.30", sequence(element(PERMITTED, new Uint8Array([1]))), true]],
  }, /./],
  ["that says something critical that nobody knows", {
    extensions: [["1.2.3.4", sequence(), true]],
  }, /critical/],
  ["whose certificate is no authority's", { authority: false }, /no authority's/],
  ["whose certificate is no authority's, though its key may sign", {
    authority: false,
    keyUsage: 0x04,
  }, /no authority's/],
  ["whose certificate does not say what it is", { authority: "missing" }, /no authority's/],
  // OpenSSL takes such an authority for nobody's issuer, and Node shows no more of the chain.
  ["whose key may sign handshakes alone", { keyUsage: 0x80 }, /key usage|no trusted authority/],
  [
    "whose key may sign lists of revoked certificates alone",
    { keyUsage: 0x02 },
    /key usage|no trusted authority/,
  ],
  ["that has expired", { from: -48, until: -24 }, /expired/],
  ["that is not valid yet", { from: 24, until: 48 }, /not valid yet/],
];

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
  const limited = await makeCertificate({
    subject: "For others",
    issuer: ca,
    authority: true,
    uses: [use === "server" ? CLIENT_USE : SERVER_USE],
  });
  // Two authorities with one key, each of which would need the rights of the other one.
  const { keys } = other;
  const twin = { subject: "Twin", issuer: ca, authority: true, keys };
  const [excluded, powerless] = await Promise.all([
    makeCertificate({
      ...twin,
      extensions: [nameConstraint(EXCLUDED, ...dns("server.test"))],
    }),
    makeCertificate({ ...twin, keyUsage: 0x80 }),
  ]);
  const constrained = await makeCertificate({
    subject: "Constrained",
    issuer: ca,
    authority: true,
    extensions: [nameConstraint(PERMITTED, ...dns("elsewhere.test"))],
  });
  const belowConstrained = await makeCertificate({
    subject: "Below",
    issuer: constrained,
    authority: true,
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
    row("one with a longer chain than an authority allows", {
      ...good,
      issuer: tooLow,
      chain: [tooLow, short],
    }, /longer than an authority allows/),
    ...LIMITED.map(async ([what, options, reason]) => {
      const made = { subject: "Limited", issuer: ca, authority: true, ...options };
      const issuer = await makeCertificate(made);
      return await row(
        `one below an authority ${what}`,
        { ...good, issuer, chain: [issuer] },
        reason,
      );
    }),
    row("one below an authority whose own authority is limited to other names", {
      ...good,
      issuer: belowConstrained,
      chain: [belowConstrained, constrained],
    }, /name constraints/),
    row("one below two authorities with one key, of which neither may sign it", {
      ...good,
      issuer: excluded,
      chain: [excluded, powerless],
    }),
    row("one whose key may sign certificates alone", {
      ...good,
      issuer: ca,
      keyUsage: 0x04,
    }, /digitalSignature/),
    row("one whose key may encrypt keys alone", {
      ...good,
      issuer: ca,
      keyUsage: 0x20,
    }, /digitalSignature/),
    row("one below an authority that is made for another use", {
      ...good,
      issuer: limited,
      chain: [limited],
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
