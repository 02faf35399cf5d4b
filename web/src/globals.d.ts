/** Where the second script lies, with its hash; written in by the build. */
declare const PAGES_URL: string;
/** Where the table of time zones lies, with its hash; written in by the build. */
declare const ZONES_URL: string;
