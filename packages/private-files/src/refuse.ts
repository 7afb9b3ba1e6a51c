/**
 * Makes the error that is thrown for a place that is not private enough. Which class and code it has is the caller's to say.
 *
 * @param problem what is wrong, in the words that each function tells; never what a file holds
 * @param hint what to do about it
 */
export type Refuse = (problem: string, hint?: string) => Error;
