import swaggerUi from '@fastify/swagger-ui';
import type { App } from '../app.ts';

/** Fills in a token that came in the fragment, which browsers send to nobody, and takes it out of sight. */
const fragmentToken = `(() => {
  const [, token] = /[#&]token=([^&]+)/.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(null, '', location.pathname);
  const bundle = window.SwaggerUIBundle;
  window.SwaggerUIBundle = Object.assign((options) => {
    const onComplete = () => ui.preauthorizeApiKey('bearer', decodeURIComponent(token));
    const ui = bundle({ ...options, onComplete });
    return ui;
  }, bundle);
})();
`;

/** The document and the page that shows it; both say nothing of this node, and are open. */
export async function addDocsRoutes(app: App): Promise<void> {
  app.get('/openapi.json', {
    config: { role: 'open' },
    schema: { hide: true },
    handler: async () => app.swagger(),
  });
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, role: 'open', produces: 'any' };
    });
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: {
        'default-src': "'self'",
        'style-src': "'self' 'unsafe-inline'",
        'img-src': "'self' data:",
        'object-src': "'none'",
        'frame-ancestors': "'none'",
        'base-uri': "'none'",
        'form-action': "'none'",
      },
      theme: { title: 'Pinfold', js: [{ filename: 'token.js', content: fragmentToken }] },
      uiConfig: { docExpansion: 'list', deepLinking: true, persistAuthorization: false },
    });
  });
}
