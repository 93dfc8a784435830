-- After every migration, as auth_owner. It may be run as often as one likes.
GRANT SELECT ON auth_service_migration TO auth_service;
-- Nobody is deleted: a user who must not log in is disabled.
GRANT SELECT, INSERT, UPDATE ON user_login TO auth_service;
GRANT SELECT, INSERT, DELETE ON service_client TO auth_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_place TO auth_service;
