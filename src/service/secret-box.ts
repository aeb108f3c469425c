/** Seals what has to be kept but must not be read by whoever reads the tables: secrets of access keys. */
export interface SecretBox {
  /** `context` goes along unsealed, and has to be the same when it is opened. */
  seal(secret: Uint8Array, context: string): Promise<Uint8Array>;
  /** `undefined`: not sealed by this box, or under another context. */
  open(sealed: Uint8Array, context: string): Promise<Uint8Array | undefined>;
}
