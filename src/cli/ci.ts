/** Whether csp runs in continuous integration: no questions there, and the lockfile is frozen. */

/** Set by services that do not all set `CI`. */
const vendors = [
  "GITHUB_ACTIONS",
  "GITLAB_CI",
  "CODEBUILD_BUILD_ID",
  "JENKINS_URL",
  "TEAMCITY_VERSION",
  "TF_BUILD",
  "BUILDKITE",
  "CIRCLECI",
  "DRONE",
  "BITBUCKET_BUILD_NUMBER",
  "CONTINUOUS_INTEGRATION",
  "BUILD_NUMBER",
];

export function isCi(env: Readonly<Record<string, string | undefined>>): boolean {
  const ci = env.CI;
  if (ci !== undefined && ci !== "") return ci !== "false" && ci !== "0";
  return vendors.some((name) => env[name] !== undefined && env[name] !== "");
}
