/** A text to look for. */
export interface PatternText {
  readonly text: string;
  /** Characters that belong to an occurrence where they stand right before the text. */
  readonly before: string;
  /** The same, right behind it. */
  readonly after: string;
  /** The text counts only where a word can begin before it and end behind it. */
  readonly wholeWord: boolean;
}
