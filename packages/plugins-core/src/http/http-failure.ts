/**
 * A request that has got no usable response. The message is put together from our own words, the method, and the URL without
 * its query: errors of libraries carry headers and whole URLs, so nothing of them but the code is passed on.
 */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
}
