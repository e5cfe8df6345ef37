/**
 * A certificate for localhost that has signed itself, until 2049. Both hosts of a test are processes of their own, and
 * must have the same one. It is worth nothing anywhere else.
 */
export const CERT = `-----BEGIN CERTIFICATE-----
MIIBSjCB8KADAgECAghOBlmHdmBuVzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwHhcNMjAwMTAxMDAwMDAwWhcNNDkxMjMxMDAwMDAwWjAUMRIwEAYD
VQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASODpmQBN69
rwQY4+h8eRI/XGu0RAdOI63fF22gB2XQ4LZZGObSjaxwPD9ScKkX4u4fcPHw2Rdp
Zjh924fzvkRKoywwKjAMBgNVHRMBAf8EAjAAMBoGA1UdEQQTMBGCCWxvY2FsaG9z
dIcEfwAAATAKBggqhkjOPQQDAgNJADBGAiEA/2HoD+WRKWU4OdjxsONv05N+wJNp
u/F8EEeBuUn4J8oCIQD95gkmzqg29DuCPtLK2OZmcpzZFvZVICYRvkMZPGwd4A==
-----END CERTIFICATE-----
`;

/** Its key. */
export const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgabQ1NAzZa7NCjL/F
lXIAuKij9VFc6vKwmhcOv9e3truhRANCAASODpmQBN69rwQY4+h8eRI/XGu0RAdO
I63fF22gB2XQ4LZZGObSjaxwPD9ScKkX4u4fcPHw2RdpZjh924fzvkRK
-----END PRIVATE KEY-----
`;
