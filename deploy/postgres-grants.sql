-- After every migration, as auth_owner. It may be run as often as one likes.
GRANT USAGE ON SCHEMA drizzle TO auth_service;
GRANT SELECT ON drizzle.__drizzle_migrations TO auth_service;
-- Nobody is deleted: a user who must not log in is disabled.
GRANT SELECT, INSERT, UPDATE ON user_login TO auth_service;
GRANT SELECT, INSERT, DELETE ON service_client TO auth_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_place TO auth_service;
