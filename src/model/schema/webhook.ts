import { type Static, Type } from 'typebox';
import { limits } from '../limits.ts';
import { messageKinds } from '../webhook/message.ts';
import { deliveryStates, webhookStates } from '../webhook/records.ts';
import { oneOf, PathBytes, PathText, Time } from './common.ts';

/** `whsec_` and base64 of 24 to 64 bytes. */
const SecretText = Type.String({
  pattern: '^whsec_[A-Za-z0-9+/]{32,86}={0,2}$',
  description: '`whsec_` and base64 of 24 to 64 bytes (Standard Webhooks)',
});

/** The body of `PUT /v1/webhooks/{name}`. */
export const WebhookRequest = Type.Object(
  {
    url: Type.String({ maxLength: limits.webhookUrlCharsMax, description: 'https://…' }),
    types: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: limits.webhookTypesMax,
        uniqueItems: true,
        description: 'types of events, or families such as pin.*; all unless told',
      }),
    ),
    prefix: Type.Optional(PathText),
    prefix_bytes: Type.Optional(PathBytes),
    secrets: Type.Optional(
      Type.Array(SecretText, {
        minItems: 1,
        maxItems: limits.webhookSecretsMax,
        uniqueItems: true,
        description: 'in place of those it has; unless told those stay, and a new webhook is given one',
      }),
    ),
  },
  { additionalProperties: false, $id: 'WebhookRequest' },
);
export type WebhookRequest = Static<typeof WebhookRequest>;

/** The body of `POST /v1/webhooks/{name}/secrets`. */
export const SecretRequest = Type.Object(
  { secret: Type.Optional(SecretText) },
  { additionalProperties: false, $id: 'WebhookSecretRequest' },
);

/** The body of `POST /v1/webhooks/{name}/pause`. */
export const PauseRequest = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 1024 })) },
  { additionalProperties: false, $id: 'WebhookPauseRequest' },
);

/** The body of `POST /v1/webhooks/{name}/replay`. */
export const ReplayRequest = Type.Object(
  {
    since: Type.Integer({
      minimum: 0,
      description: 'everything after the event of this number is sent again; before that nothing more',
    }),
  },
  { additionalProperties: false, $id: 'WebhookReplayRequest' },
);

const described = {
  name: Type.String(),
  url: Type.String(),
  types: Type.Array(Type.String(), { description: 'none: all' }),
  prefix: Type.Union([Type.String(), Type.Null()]),
  prefix_bytes: Type.Optional(PathBytes),
  state: oneOf(webhookStates),
  state_reason: Type.Union([Type.String(), Type.Null()]),
  state_since: Time,
  secrets: Type.Array(
    Type.Object({
      id: Type.String({
        description: 'the beginning of its SHA-256; the secret itself is never shown again',
      }),
      created_at: Time,
    }),
  ),
  after_seq: Type.Integer({
    minimum: 0,
    description: 'every event up to this one was delivered, not wanted, or told as a gap',
  }),
  backlog: Type.Integer({ minimum: 0, description: 'events in the log after that, wanted or not' }),
  failures: Type.Integer({ minimum: 0, description: 'attempts that failed since the last that did not' }),
  last_error: Type.Union([Type.String(), Type.Null()]),
  retry_in_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description: 'until the next attempt of what failed',
  }),
  created_at: Time,
  created_by: Type.String(),
  updated_at: Time,
  updated_by: Type.String(),
  etag: Type.String(),
};

/** A webhook and how it does. */
export const WebhookDocument = Type.Object(described, { $id: 'Webhook' });
export type WebhookDocument = Static<typeof WebhookDocument>;

const toldOnce = Type.Union([Type.String(), Type.Null()], {
  description: 'a secret that was made for it; told once. Null where none was made',
});

/** The same, where a secret may have been made. */
export const NewWebhook = Type.Object({ ...described, secret: toldOnce }, { $id: 'NewWebhook' });
export type NewWebhook = Static<typeof NewWebhook>;

/** What was sent to a webhook, and how that went last. */
export const DeliveryDocument = Type.Object(
  {
    id: Type.Integer({ minimum: 1 }),
    webhook: Type.String(),
    message_id: Type.String({ description: '`webhook-id`, the same at every attempt' }),
    kind: oneOf(messageKinds),
    seq: Type.Union([Type.Integer(), Type.Null()]),
    type: Type.String({ description: 'of the CloudEvent' }),
    state: oneOf(deliveryStates),
    attempts: Type.Integer({ minimum: 1 }),
    first_at: Time,
    last_at: Time,
    duration_ms: Type.Integer({ minimum: 0, description: 'of the last attempt' }),
    status: Type.Union([Type.Integer(), Type.Null()], { description: 'what was answered last' }),
    error: Type.Union([Type.String(), Type.Null()]),
  },
  { $id: 'WebhookDelivery' },
);
export type DeliveryDocument = Static<typeof DeliveryDocument>;
