/** Permission bits of group and others. */
export const OTHERS = 0o077;

/** In a folder with this bit only the owner of a file can remove or replace it, as in /tmp. */
export const STICKY = 0o1000;
