/** What a caller shows, in the form it came in. Never logged, never stored. */
export type Credentials =
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string };

/** On whose behalf the forge is asked: nobody's, a caller's, or the service's own. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly credentials: Credentials }
  | { readonly kind: 'service' };
