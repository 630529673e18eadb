# The catalog, served by opm from an index that is built with the image.
FROM quay.io/operator-framework/opm:v1.65.0 AS builder
COPY catalog /configs
RUN ["/bin/opm", "serve", "/configs", "--cache-dir=/cache", "--cache-only"]

FROM quay.io/operator-framework/opm:v1.65.0
COPY --from=builder /configs /configs
COPY --from=builder --chown=1001:1001 /cache /cache
LABEL operators.operatorframework.io.index.configs.v1=/configs
USER 1001:1001
ENTRYPOINT ["/bin/opm"]
CMD ["serve", "/configs", "--cache-dir=/cache"]
