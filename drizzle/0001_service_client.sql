CREATE TABLE "service_client" (
	"name" text PRIMARY KEY NOT NULL,
	"secret_digest" text NOT NULL,
	"permissions" text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "service_client_permissions" CHECK ("service_client"."permissions" <@ array['introspect', 'revoke', 'users']::text[] and "service_client"."permissions" <> '{}')
);
