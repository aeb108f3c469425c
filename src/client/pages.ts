/** Listings that come in pages, read on as far as somebody asks. */

export async function* pages<P extends { readonly cursor?: string }>(
  page: (cursor: string | undefined) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let cursor: string | undefined;
  do {
    const next = await page(cursor);
    yield next;
    ({ cursor } = next);
  } while (cursor !== undefined);
}

/** As a member of a query; absent at the first page. */
export const after = (cursor: string | undefined): { readonly cursor?: string } =>
  cursor === undefined ? {} : { cursor };
