/**
 * The environment of a user who has installed our packages: nothing of this workspace, and a home of their own.
 *
 * @param {string} home
 * @returns {NodeJS.ProcessEnv}
 */
export function consumerEnvironment(home) {
  return { PATH: process.env["PATH"], HOME: home, USERPROFILE: home };
}
