# syntax=docker/dockerfile:1
# Node's active LTS line in the slim image: glibc, no compiler. No package manager is needed at run
# time.
ARG NODE_VERSION=24

FROM node:${NODE_VERSION}-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without clients/, which sibling services install.
RUN npm ci --ignore-scripts --workspaces=false
COPY tsconfig.json tsconfig.build.json bundle.mjs empty-database.mjs outdated.mjs ./
COPY src src
RUN npm run build:service && npm prune --omit=dev --ignore-scripts --workspaces=false

FROM node:${NODE_VERSION}-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000 \
    USER_ACTION_LOG=-
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY drizzle drizzle
USER node
EXPOSE 3000
HEALTHCHECK --interval=5s --timeout=2s --start-period=10s \
  CMD node /app/dist/health-check.js $PORT
ENTRYPOINT ["node", "/app/dist/auth-service.js"]
CMD ["serve"]
