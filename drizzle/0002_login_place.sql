CREATE TABLE "login_place" (
	"user_id" bigint NOT NULL,
	"network" text NOT NULL,
	"last_login" timestamp with time zone NOT NULL,
	CONSTRAINT "login_place_user_id_network_pk" PRIMARY KEY("user_id","network")
);
--> statement-breakpoint
ALTER TABLE "login_place" ADD CONSTRAINT "login_place_user_id_user_login_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user_login"("user_id") ON DELETE cascade ON UPDATE no action;