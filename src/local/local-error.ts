/** What stops the embedded service from starting, as one line for the person who started it. */
export class LocalError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "LocalError";
  }
}

interface Coded {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
}

/** Turns an error of the file system or of LevelDB into the line that says what to do about it. */
export function explainFolderError(error: unknown, folder: string): LocalError {
  const { code, text } = rootOf(error);
  if (code === "LEVEL_LOCKED" || /already held by process|LOCK: .*unavailable/i.test(text))
    return new LocalError(`another LaneMQ process uses the data folder ${folder}`, error);
  if (["ENOSPC", "EDQUOT"].includes(code) || /no space left|quota exceeded/i.test(text))
    return new LocalError(`the disk that holds the data folder ${folder} is full`, error);
  if (
    ["EACCES", "EPERM", "EROFS"].includes(code) ||
    /permission denied|read-only file system/i.test(text)
  )
    return new LocalError(`the data folder ${folder} is not writable`, error);
  if (["ENOTDIR", "EEXIST"].includes(code) || /not a directory/i.test(text))
    return new LocalError(`the data folder ${folder} is not a folder`, error);
  if (code === "LEVEL_CORRUPTION" || /corruption/i.test(text))
    return new LocalError(`the data folder ${folder} is damaged: ${text}`, error);
  return new LocalError(`the data folder ${folder} cannot be opened: ${text}`, error);
}

/** LevelDB's "not open" wraps the reason as its cause; the innermost one is what happened. */
function rootOf(error: unknown): { code: string; text: string } {
  let at = error as Coded;
  while (typeof at.cause === "object" && at.cause !== null) at = at.cause;
  return {
    code: typeof at.code === "string" ? at.code : "",
    text: typeof at.message === "string" ? at.message : String(error),
  };
}
