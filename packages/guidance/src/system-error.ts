/**
 * What the system says about a file, in words: Node's own text repeats the path, which messages here name already, and
 * the call that failed, which is no concern of the user's.
 */

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "no permission",
  EPERM: "no permission",
  EEXIST: "there is something of that name",
  EISDIR: "it is a folder",
  ENOTDIR: "part of the path is a file",
  ENOSPC: "no space left on the disk",
  EROFS: "the file system is read-only",
};

/** Why a file cannot be used, e.g. `no such file or folder`; of other errors the message. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : reasons[code]) ?? error.message;
}
