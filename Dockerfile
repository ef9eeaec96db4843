FROM node:24-alpine AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
RUN npm ci
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM node:24-alpine
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 MODFORGE_DATA=/data
# One thread that collects garbage and compiles, instead of four: on few processors they would be in the way of the one that answers.
# Half of the room for what is new: it is collected in half of the time, during which nobody is answered.
ENV NODE_OPTIONS="--v8-pool-size=1 --max-semi-space-size=8"
RUN mkdir /data && chown node:node /data
WORKDIR /app
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "dist/cli/check-health.js"]
ENTRYPOINT ["node", "dist/cli/modforge.js"]
